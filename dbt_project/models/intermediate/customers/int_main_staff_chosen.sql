{{ config(materialized='ephemeral') }}

with staff_relations as (
    select * from {{ ref('stg_gold__staff_relations') }}
),

accounts as (
    select * from {{ ref('stg_gold__accounts') }}
),

employees as (
    select * from {{ ref('stg_gold__employees') }}
),

main_services as (
    select
        business_line,
        account_id,
        business_date,
        employee_id
    from staff_relations
    where
        is_main_service
        and effective_date <= business_date
        and {{ is_loaded_date('business_date') }}
),

-- a struct compares field by field: business line first, then account, then employee
first_by_customer as (
    select
        accounts.customer_id,
        accounts.business_date,
        min(struct(
            case main_services.business_line
                when 'normal' then 1
                when 'credit' then 2
                when 'option' then 3
                when 'fund' then 4
                else 5
            end as business_line_order,
            main_services.account_id as account_id,
            main_services.employee_id as employee_id
        )) as first_service
    from main_services
    inner join accounts
        on
            main_services.business_line = accounts.business_line
            and main_services.account_id = accounts.account_id
            and main_services.business_date = accounts.business_date
    where accounts.customer_id is not null
    group by accounts.customer_id, accounts.business_date
),

main_staff as (
    select
        first_by_customer.customer_id,
        first_by_customer.business_date,
        first_by_customer.first_service.employee_id as main_staff_employee_id
    from first_by_customer
),

final as (
    select
        main_staff.customer_id,
        main_staff.business_date,
        main_staff.main_staff_employee_id,
        employees.employee_name_masked as main_staff_name_masked
    from main_staff
    left join employees
        on
            main_staff.main_staff_employee_id = employees.employee_id
            and main_staff.business_date = employees.business_date
)

select * from final
