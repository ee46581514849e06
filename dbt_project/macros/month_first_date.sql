{#- First day of the month of the load's first date: month-to-date figures start here. -#}
{% macro month_first_date() -%}
    date '{{ var("first_date")[:8] }}01'
{%- endmacro %}
