{#- From which amount in CNY on a customer's money in, or out, of a day is large: by the row of `large_flow_amounts` in force that day. -#}
{% macro large_flow_amount(date_column) -%}
    case
        {%- for rule in var('large_flow_amounts') | sort(attribute='from', reverse=true) %}
        when {{ date_column }} >= date '{{ rule["from"] }}' then {{ rule['amount'] }}
        {%- endfor %}
    end
{%- endmacro %}
