{#- Dates the marts have rows for: the load's own, never the opening baseline. -#}
{% macro is_loaded_date(column) -%}
    {{ column }} between {{ run_date('first_date') }} and {{ run_date('last_date') }}
    and {{ column }} > {{ run_date('opening_date') }}
{%- endmacro %}
